"""A comparison of starts: what is trained, under which rules, and what came out."""
