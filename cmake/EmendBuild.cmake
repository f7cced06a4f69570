# Compiler settings shared by every target.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(EMEND_CCACHE ccache)
if(EMEND_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache asks for to cache objects that use a precompiled header; base_dir and no hash_dir let build folders share objects.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros" "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "CCACHE_NOHASHDIR=1"
    "${EMEND_CCACHE}")
endif()

find_program(EMEND_MOLD mold)
if(EMEND_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(EMEND_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

if(NOT EMEND_SANITIZE STREQUAL "")
  # -O1 compiles in three quarters of the time of -O2. Under sanitizers g++ 12 sees uninitialised values in optionals where there are none.
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
  add_compile_options(-Wno-maybe-uninitialized)
endif()
if(EMEND_SANITIZE STREQUAL "address")
  # vptr would need libraries that were built with it; cpprestsdk was not.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=undefined -g1)
  add_link_options(-fsanitize=address,undefined)
elseif(EMEND_SANITIZE STREQUAL "thread")
  # TSan does not understand fences; Asio's mutexes order the same things.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -g1 -DBOOST_ASIO_DISABLE_FENCED_BLOCK)
  add_link_options(-fsanitize=thread)
elseif(NOT EMEND_SANITIZE STREQUAL "")
  message(FATAL_ERROR "EMEND_SANITIZE is \"${EMEND_SANITIZE}\"; expected nothing, address or thread")
endif()
