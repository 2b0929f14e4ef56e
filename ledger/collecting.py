"""Python's garbage collector where the log is written and read in bulk: less often, and not over what stays for good.

What a batch makes is nearly all without cycles and goes when it is committed, by its reference counts alone. With
the standard thresholds (700) the collector still walked it several times a batch, and all supply points with it
whenever a quarter of them was new: a fifth of the time of pricing a reading, a seventh of projecting one. Cycles
(exceptions with their frames, mostly) are rare here and can wait for a few batches.
"""

import gc

# A batch at full size keeps some tens of thousands of objects that the collector tracks: once in a few of them.
_YOUNG, _MIDDLE, _OLD = 200_000, 20, 100


def tune_collector() -> None:
    """Leave what is loaded by now to itself, and look at the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
