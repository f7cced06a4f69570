// The precompiled header of every libtorch file.
#include <utility>  // first: cmake/EmendDependencies.cmake says why

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>
