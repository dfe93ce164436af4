"""The compiled forms of `core/reader.py` and `core/writing.py`, in Cython; `core/accelerator.py` says when they run."""
