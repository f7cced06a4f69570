# emend_unity(<target>): compiles its files several at a time, which reads and instantiates the headers of Asio and the JSON library once for all of them
# (docs/notes/build.md). A name without linkage is then one a batch: two files of a folder give two things two names, and where all have the same names (tests, verbs
# of the command line) each has a namespace of its own. EMEND_UNITY=OFF, the preset each-file, compiles each file alone.
function(emend_unity target)
  if(EMEND_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
    # What lies in an unnamed namespace of an included file is taken for a header's.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# What passes things on, and what tests, is compiled for build time (docs/notes/build.md); what computes or stores is not.
function(emend_optimise target)
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  if(folder MATCHES "^(api|coordinator|tests)/" AND NOT folder MATCHES "^tests/bench")
    target_compile_options(${target} PRIVATE -O1 -Wno-maybe-uninitialized)  # which -O1 sees where there are none
  endif()
endfunction()

# emend_sources(<target> <pattern> [file ...]): the files that are named or, where none is, all of the folder and below that fit the pattern, are no main.cc and are
# named by no other target of the folder. So a new file needs no line here.
function(emend_sources target pattern)
  if(ARGN)
    target_sources(${target} PRIVATE ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY EMEND_NAMED_SOURCES ${ARGN})
  else()
    cmake_language(EVAL CODE "cmake_language(DEFER CALL emend_other_sources ${target} [[${pattern}]])")
  endif()
endfunction()
function(emend_other_sources target pattern)
  file(GLOB_RECURSE sources RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${pattern}")
  get_property(named DIRECTORY PROPERTY EMEND_NAMED_SOURCES)
  list(REMOVE_ITEM sources main.cc ${named})
  target_sources(${target} PRIVATE ${sources})
endfunction()

# emend_library(<name> [SOURCES ...] [DEPS ...] [PRIVATE_DEPS ...] [TORCH])
#   A static library of one folder, called as the folder ("storage/kv" is emend_storage_kv). DEPS are what its public headers and callers see; PRIVATE_DEPS
#   are third-party libraries that stay behind it. TORCH compiles with libtorch's headers and the shared precompiled header.
#   With EMEND_LINK_CHECK it is also linked whole against what it declares, so that an undeclared dependency fails the build.
function(emend_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC)
  emend_sources(${name} "*.cc" ${ARG_SOURCES})
  emend_unity(${name})
  emend_optimise(${name})
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE ${EMEND_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  if(ARG_TORCH)
    emend_use_torch(${name})
  endif()
  if(EMEND_LINK_CHECK)
    add_executable(link_check_${name} "${CMAKE_SOURCE_DIR}/cmake/link_check.cc")
    target_link_libraries(link_check_${name} PRIVATE -Wl,--whole-archive $<TARGET_FILE:${name}> -Wl,--no-whole-archive ${ARG_DEPS} ${ARG_PRIVATE_DEPS})
    add_dependencies(link_check_${name} ${name})
    set_target_properties(link_check_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/link_check")
    if(ARG_TORCH)
      target_link_libraries(link_check_${name} PRIVATE emend_torch)
    endif()
  endif()
endfunction()

# emend_program(<name> SOURCES ... DEPS ... [TORCH]): an executable in build/bin.
function(emend_program name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  emend_unity(${name})
  emend_optimise(${name})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE ${EMEND_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  if(ARG_TORCH)
    emend_use_torch(${name})
  endif()
endfunction()

# emend_test(<name> [THREADS] [SOURCES ...] DEPS ... [LABELS label] [TIMEOUT seconds] [TORCH])
#   THREADS: what it tests runs on several; the others, on one thread or in virtual time, are nothing to ThreadSanitizer and left out of its build.
#   label: unit (if none is given); integration (real processes, whole batches, faults on a real disk); sim; slow (only with `./dev test --full`).
#   A GoogleTest program, one a folder and label, one ctest entry per TEST; its files have a namespace of their own each, called as the file. The working folder is the checkout, so tests name data by its path in the repo.
function(emend_test name)
  cmake_parse_arguments(ARG "TORCH;THREADS" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(EMEND_SANITIZE STREQUAL "thread" AND NOT ARG_THREADS)
    set_property(DIRECTORY APPEND PROPERTY EMEND_NAMED_SOURCES ${ARG_SOURCES})
    return()
  endif()
  add_executable(${name})
  emend_sources(${name} "*_test.cc" ${ARG_SOURCES})
  emend_unity(${name})
  emend_optimise(${name})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE ${EMEND_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(ARG_TORCH)
    emend_use_torch(${name})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  # libtorch's threads spin between operations unless told to wait, which starves tests that run beside them.
  gtest_discover_tests(${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}" ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)
endfunction()
