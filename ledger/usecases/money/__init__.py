"""Commands on accounts' money: undo, pay out, put right, dispute, close; and what two people must decide.

A command is data (`commands`), `carry_out` books it, once per key, on the newest balance.
"""
