"""A payment provider to try things with: it charges test tokens, moves no money, and tells by signed webhook."""
