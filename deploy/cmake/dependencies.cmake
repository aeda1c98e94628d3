# Every package the tree uses, found once. Torch comes last and only as the
# target qvg_torch, so that its bundled protobuf headers are seen by nobody
# else.

set(QVG_DEPS_DIR "$ENV{QVG_DEPS_DIR}" CACHE PATH
    "Where deploy/setup.sh put the Python wheels (Torch, CUDA compiler)")
if(NOT QVG_DEPS_DIR)
  set(QVG_DEPS_DIR "$ENV{HOME}/.cache/qvgd" CACHE PATH "" FORCE)
endif()

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(HWY REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json REQUIRED)

if(QVG_WITH_SERVER)
  find_package(Protobuf REQUIRED)
  find_package(gRPC REQUIRED)
  find_package(prometheus-cpp REQUIRED)
  find_package(PkgConfig REQUIRED)
  # Its flags change the layout of its classes: take them from the package.
  pkg_check_modules(QVG_HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
  file(GLOB QVG_GOOGLE_PROTOS
       ${QVG_DEPS_DIR}/venv/lib/python3*/site-packages/google/rpc/error_details.proto)
  if(NOT QVG_GOOGLE_PROTOS)
    message(FATAL_ERROR "googleapis-common-protos not found under "
      "${QVG_DEPS_DIR}: run deploy/setup.sh")
  endif()
  list(GET QVG_GOOGLE_PROTOS 0 QVG_GOOGLE_PROTO)
  cmake_path(GET QVG_GOOGLE_PROTO PARENT_PATH QVG_GOOGLE_RPC)
  cmake_path(GET QVG_GOOGLE_RPC PARENT_PATH QVG_GOOGLE)
  cmake_path(GET QVG_GOOGLE PARENT_PATH QVG_GOOGLE_PROTO_ROOT)
endif()

if(QVG_WITH_FFMPEG AND QVG_WITH_SERVER)
  pkg_check_modules(QVG_FFMPEG REQUIRED IMPORTED_TARGET
    libavformat libavcodec libswscale libavutil)
endif()

if(QVG_WITH_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()

if(QVG_WITH_CUDA)
  include(deploy/cmake/cuda_wheels.cmake)
  enable_language(CUDA)
endif()

if(QVG_WITH_TORCH)
  if(QVG_WITH_CUDA)
    set(QVG_VENV venv-gpu)
  else()
    set(QVG_VENV venv)
  endif()
  file(GLOB QVG_TORCH_DIR
       ${QVG_DEPS_DIR}/${QVG_VENV}/lib/python3*/site-packages/torch)
  if(NOT QVG_TORCH_DIR)
    message(FATAL_ERROR "LibTorch not found under ${QVG_DEPS_DIR}/${QVG_VENV}: "
      "run deploy/setup.sh")
  endif()
  set(QVG_CUDA_WHEEL ${QVG_TORCH_DIR}/../nvidia/cu13)
  add_library(qvg_torch INTERFACE)
  target_include_directories(qvg_torch SYSTEM INTERFACE
    ${QVG_TORCH_DIR}/include ${QVG_TORCH_DIR}/include/torch/csrc/api/include)
  target_link_directories(qvg_torch INTERFACE
    ${QVG_TORCH_DIR}/lib ${QVG_CUDA_WHEEL}/lib)
  target_link_options(qvg_torch INTERFACE
    -Wl,-rpath,${QVG_TORCH_DIR}/lib -Wl,-rpath,${QVG_CUDA_WHEEL}/lib
    -Wl,--allow-shlib-undefined)
  target_compile_definitions(qvg_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
  # at::parallel_for is a template in a header: without OpenMP it runs serially.
  # GCC 14 takes a vector<bool> inside Torch's autograd for too small.
  target_compile_options(qvg_torch INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-array-bounds$<SEMICOLON>-Wno-stringop-overflow>)
  target_link_libraries(qvg_torch INTERFACE
    torch_cpu c10 -l:libgomp.so.1 -l:libcudart.so.13 -l:libcupti.so.13 Threads::Threads)
  if(QVG_WITH_CUDA)
    target_include_directories(qvg_torch SYSTEM INTERFACE
      ${QVG_CUDA_WHEEL}/include)
    target_compile_definitions(qvg_torch INTERFACE QVG_WITH_CUDA=1)
    target_link_libraries(qvg_torch INTERFACE
      -Wl,--no-as-needed torch_cuda c10_cuda -Wl,--as-needed)
  endif()
endif()
