# The few functions every CMakeLists.txt of the tree is made of.

add_library(qvg_options INTERFACE)
target_include_directories(qvg_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(
  qvg_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wno-sign-compare>)
if(QVG_SANITIZE)
  target_compile_options(qvg_options INTERFACE
    -fsanitize=${QVG_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(qvg_options INTERFACE -fsanitize=${QVG_SANITIZE})
endif()
# What every executable gets besides its own sources.
set(QVG_EVERYWHERE)
if(QVG_SANITIZE MATCHES thread)
  add_library(qvg_absl_tsan OBJECT tests/sanitizers/absl_tsan.cc)
  target_link_libraries(qvg_absl_tsan PRIVATE qvg_options)
  list(APPEND QVG_EVERYWHERE $<TARGET_OBJECTS:qvg_absl_tsan>)
endif()

# add_component(NAME SRCS ... DEPS ... [PRIVATE_DEPS ...]): a static library
# qvg_NAME with the alias qvg::NAME.
function(add_component NAME)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(qvg_${NAME} STATIC ${ARG_SRCS})
  add_library(qvg::${NAME} ALIAS qvg_${NAME})
  target_link_libraries(qvg_${NAME}
    PUBLIC qvg_options ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

# add_program(NAME SRCS ... DEPS ...): an executable build/<preset>/bin/NAME.
function(add_program NAME)
  cmake_parse_arguments(ARG "INSTALL" "" "SRCS;DEPS" ${ARGN})
  add_executable(${NAME} ${ARG_SRCS} ${QVG_EVERYWHERE})
  target_link_libraries(${NAME} PRIVATE qvg_options ${ARG_DEPS})
  if(ARG_INSTALL)
    install(TARGETS ${NAME} RUNTIME)
  endif()
endfunction()

# add_unit_test(NAME SRCS ... DEPS ... [LABEL unit|e2e|...] [TIMEOUT seconds]
# [THREADS filter]): a GoogleTest program registered with ctest as one test.
# THREADS says which of its tests run several threads: ThreadSanitizer, which
# slows everything tenfold, runs these and no others.
function(add_unit_test NAME)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;THREADS" "SRCS;DEPS" ${ARGN})
  set(FILTER)
  if(QVG_SANITIZE MATCHES thread)
    if(NOT ARG_THREADS)
      return()
    endif()
    set(FILTER --gtest_filter=${ARG_THREADS})
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  add_executable(${NAME} ${ARG_SRCS} ${QVG_EVERYWHERE})
  target_link_libraries(${NAME}
    PRIVATE qvg_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${NAME} COMMAND ${NAME} ${FILTER}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${NAME} PROPERTIES
    LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "QVG_BIN_DIR=${PROJECT_BINARY_DIR}/bin")
endfunction()

# add_subdirectories(DIR ...): those of them that are in this tree.
function(add_subdirectories)
  foreach(DIR ${ARGN})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${DIR}/CMakeLists.txt)
      add_subdirectory(${DIR})
    endif()
  endforeach()
endfunction()
