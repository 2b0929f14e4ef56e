"""The domain: what happened (facts, by stream), what it means for the books (postings), and how usage is priced.

One module per event stream. A fact is what is stored; an event is a fact at its place in a stream. Nothing here
does I/O or reads a clock.
"""
