# Third-party libraries, each behind one imported target. docs/notes/layers.md says which folder owns which.
include(GoogleTest)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS system)
find_package(fmt 9 REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2 REQUIRED)
find_package(cpprestsdk 2.10 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
if(EMEND_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()

# Asio without Boost's deprecated parts, coroutines through C++20. g++ 12 needs <utility> before asio/awaitable.hpp (std::exchange is used undeclared there).
add_library(emend_asio INTERFACE)
target_link_libraries(emend_asio INTERFACE Boost::boost Threads::Threads OpenSSL::SSL)
target_compile_definitions(emend_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
# Its coroutine frames have an operator delete of their own, which g++ 12 mistakes for a mismatch when it inlines.
# Where libtorch's precompiled header is used it brings <utility>: g++ takes no precompiled header behind another include, and says nothing about it.
target_compile_options(emend_asio INTERFACE "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:EMEND_TORCH>>>:SHELL:-include utility>" -Wno-mismatched-new-delete)

if(EMEND_WORKER)
  include(EmendTorch)
endif()
