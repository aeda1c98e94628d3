# The CUDA compiler from Python wheels, made a toolkit that CMake accepts: it
# looks for lib64 and for libraries without a version in their names.
# (CMake 3.25's FindCUDAToolkit fails on CUDA 13, which lacks nvToolsExt; the
# language alone brings all that the tree needs.)

file(GLOB QVG_CUDA_ROOT
     ${QVG_DEPS_DIR}/venv-gpu/lib/python3*/site-packages/nvidia/cu13)
if(QVG_CUDA_ROOT)
  if(NOT EXISTS ${QVG_CUDA_ROOT}/lib64)
    file(CREATE_LINK lib ${QVG_CUDA_ROOT}/lib64 SYMBOLIC)
  endif()
  file(GLOB QVG_VERSIONED ${QVG_CUDA_ROOT}/lib/lib*.so.*)
  foreach(LIBRARY ${QVG_VERSIONED})
    string(REGEX REPLACE "\\.so\\..*$" ".so" UNVERSIONED ${LIBRARY})
    if(NOT EXISTS ${UNVERSIONED})
      cmake_path(GET LIBRARY FILENAME VERSIONED_NAME)
      file(CREATE_LINK ${VERSIONED_NAME} ${UNVERSIONED} SYMBOLIC)
    endif()
  endforeach()
  set(CMAKE_CUDA_COMPILER ${QVG_CUDA_ROOT}/bin/nvcc CACHE FILEPATH "")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
# CMake 3.25 does not know that nvcc has it.
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA_FLAGS --expt-relaxed-constexpr CACHE STRING "")
