#!/usr/bin/env python3
"""golden.npz, as the run of the published code wrote it, to golden.safetensors, which the tests read. Needs numpy and safetensors.

  convert.py golden.npz golden.safetensors
"""
import sys

import numpy
from safetensors.numpy import save_file

arrays = numpy.load(sys.argv[1])
save_file({name: numpy.ascontiguousarray(arrays[name]) for name in sorted(arrays.files)}, sys.argv[2])
