#ifndef SERVER_GENERATOR_TINYWORLD_HOST_DEVICE_H_
#define SERVER_GENERATOR_TINYWORLD_HOST_DEVICE_H_

// Marks the few inline functions that the host and the device share.
#if defined(__CUDACC__)
#define QVG_HOST_DEVICE __host__ __device__
#else
#define QVG_HOST_DEVICE
#endif

#endif  // SERVER_GENERATOR_TINYWORLD_HOST_DEVICE_H_
