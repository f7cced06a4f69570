# libtorch out of the Python wheel that ./dev unpacks, without find_package(Torch): that one demands a CUDA toolkit as soon as the wheel was built for CUDA.
# Only libtorch_cpu and libc10 are linked; libtorch_cuda is opened at run time where there is a GPU.
set(EMEND_TORCH_DIR "${EMEND_DEPS_DIR}/python/torch" CACHE PATH "The unpacked torch package")
set(EMEND_CUDA_RUNTIME_DIR "${EMEND_DEPS_DIR}/python/nvidia/cu13/lib" CACHE PATH "libcudart and libcupti, which libtorch_cpu needs to load")
if(NOT EXISTS "${EMEND_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No libtorch under ${EMEND_TORCH_DIR}. Run ./dev build, which fetches it, or configure with -DEMEND_WORKER=OFF.")
endif()

add_library(emend_torch INTERFACE)
target_include_directories(emend_torch SYSTEM INTERFACE "${EMEND_TORCH_DIR}/include" "${EMEND_TORCH_DIR}/include/torch/csrc/api/include")
target_link_libraries(emend_torch INTERFACE "${EMEND_TORCH_DIR}/lib/libtorch_cpu.so" "${EMEND_TORCH_DIR}/lib/libc10.so")
target_link_options(emend_torch INTERFACE
  "-Wl,-rpath,${EMEND_TORCH_DIR}/lib" "-Wl,-rpath,${EMEND_CUDA_RUNTIME_DIR}" "-Wl,-rpath-link,${EMEND_CUDA_RUNTIME_DIR}")

# One precompiled header serves every libtorch file: ATen and autograd cost about 20 s to parse.
add_library(emend_torch_pch STATIC "${CMAKE_SOURCE_DIR}/cmake/torch_pch.cc")
target_link_libraries(emend_torch_pch PUBLIC emend_torch)
target_include_directories(emend_torch_pch PUBLIC "${CMAKE_SOURCE_DIR}")
target_compile_options(emend_torch_pch PRIVATE ${EMEND_WARNINGS})
target_precompile_headers(emend_torch_pch PRIVATE "${CMAKE_SOURCE_DIR}/cmake/torch_pch.h")

function(emend_use_torch target)
  target_link_libraries(${target} PUBLIC emend_torch)
  set_target_properties(${target} PROPERTIES EMEND_TORCH ON)
  target_precompile_headers(${target} REUSE_FROM emend_torch_pch)
  target_compile_options(${target} PRIVATE -fPIC)  # programs too: the header was compiled with it, and is refused under -fPIE
endfunction()
