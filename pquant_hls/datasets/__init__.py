"""Data sets: the bundled jets, the user's own files, their splits and the checks before training.

Light to import: scikit-learn, h5py and pyarrow are imported where a file needs them.
"""

from pquant_hls.datasets.check import check_dataset
from pquant_hls.datasets.load import load_dataset
from pquant_hls.datasets.records import Dataset
from pquant_hls.datasets.remarks import remarks

__all__ = ["Dataset", "check_dataset", "load_dataset", "remarks"]
