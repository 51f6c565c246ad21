"""Data files of text that `load_dataset` reads: tables (.csv) and sequences (FASTA)."""

import csv
import gzip
import io

from dbn.evaluation import load_dataset

from .arrays import packed
from .common import ANY, SEEN, Format, allowed, gzip_bomb, pick, size_up_to


def strange_field(data, integer):
    """A field that is no number, or one in name only."""
    odd = [
        *("nan", "inf", "1e999", "-1e39", "", "x", "0x1p3", "1\0", "\ud83d\ude00", '"'),
        *("1" * 100_000, "=cmd()", "a" * 140_000, "1;2", "1\t2", "None", "\u202e1"),
    ]
    text = pick(integer, odd).encode("utf-8", "surrogatepass")
    rows = [row.split(b",") for row in data.splitlines()]
    pick(integer, rows)[integer(0, 2)] = text
    return b"\n".join(b",".join(row) for row in rows)


def long_label(data, integer):
    """One label as long as is allowed, and many rows: an array of all is huge."""
    return b"1,2," + b"a" * integer(100_000, 131_000) + b"\n1,2,b" * integer(2000, 9000)


def encoded(data, integer):
    return data.decode().encode(pick(integer, ["utf-16", "utf-32"]))


def ragged_columns(data, integer):
    return b"1," * integer(10, 50_000) + b"a\n" + b"1,2\n"


# Large in one dimension.


def many(data, integer):
    """Rows, columns, cells, lines, labels, or a single cell, without a header."""
    n = integer(1000, 100_000)
    rows = [
        *(b"1,2\n" * n, b"12,345\n" * n, (b"12," * n + b"1\n") * 3, b"\n" * n),
        *(b",\n" * n, b"?,a\n" * n, b"ab,cd\n" * n, b'"1","2"\n' * n),
        *(b"a,b\n" + b"1" * n + b",2\n1,2\n", b"1," + b"a" * n + b"\n1,b\n"),
        b"".join(b"1,a%d\n" % i for i in range(n)),
        b"".join(b"%d;0,%d\n" % (i, i) for i in range(n)),
        "1,\U0001f600\n".encode() * n,
    ]
    return pick(integer, rows)


def many_rows(data, integer):
    return b"a,kind\n" + b"1,x\n" * size_up_to(300_000, integer)


def many_columns(data, integer):
    n = size_up_to(300_000, integer)
    names = b"".join(b"c%d," % i for i in range(n))
    return names + b"kind\n" + 2 * (b"1," * n + b"x\n")


def many_classes(data, integer):
    lines = (b"%d,class%d\n" % (i % 7, i) for i in range(size_up_to(200_000, integer)))
    return b"a,kind\n" + b"".join(lines)


def long_field(data, integer):
    letter = pick(integer, ["a", "\x1b", "\u20ac", '"', "1"])
    row = ["1", "x"]
    row[integer(0, 1)] = letter * size_up_to(131_000, integer)
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["a", "kind"], ["1", "y"], row])
    return buffer.getvalue().encode()


_ATTACKS = [long_label, encoded, ragged_columns]
_GROWTH = [many_rows, many_columns, many_classes, long_field]
CSV = Format(
    "csv",
    "case.csv",
    [b"a,b,kind\n0.5,1,x\n1,0,y\n0.25,3,x\n", b"1,2,0\n3,4,1\n"],
    load_dataset,
    allowed(ANY, [strange_field, many], _ATTACKS, _GROWTH),
)
CSV_GZ = Format(
    "csv.gz",
    "case.csv.gz",
    [gzip.compress(data, mtime=0) for data in CSV.samples],
    load_dataset,
    allowed(SEEN, [packed(many)], [packed(long_label), packed(encoded)]),
)


# FASTA


def other_letters(data, integer):
    odd = pick(integer, [b"*", b"x", b"\xff", b"B", b"\0", b"1"])
    return gzip.compress(gzip.decompress(data) + odd, mtime=0)


def text_bomb(data, integer):
    return gzip_bomb(integer(100, 512), pick(integer, [b"", b">a\n", b">a\nAC"]))


def letter_bomb(data, integer):
    """Letters that are few as text and many as one-hot rows."""
    return gzip.compress(b">a\n" + b"A" * integer(10**6, 5 * 10**6), mtime=0)


def many_sequences(data, integer):
    """Sequences, letters or names without an end, each of a few bytes."""
    text = pick(integer, [b">a\nA\n", b">\n", b">a\nAC\nDE\n", b">a\n\n"])
    text *= size_up_to(2 * 10**6, integer)
    return gzip.compress(text, mtime=0) if integer(0, 1) else text[:500_000]


def long_sequences(data, integer):
    one = b">a\n" + b"AC" * size_up_to(300_000, integer) + b"\n"
    return gzip.compress(one * integer(1, 3), mtime=0)


_FORGERIES = [many_sequences, long_sequences]
FASTA = Format(
    "fasta.gz",
    "ww_domain_msa.fasta.gz",
    [gzip.compress(b">a\nACD\nEF\n>b\nGH-IK\n>c\nACDEF\n", mtime=0)],
    lambda path: load_dataset("proteins", data_home=path.parent),
    allowed(SEEN, _FORGERIES, [other_letters, text_bomb, letter_bomb]),
)
