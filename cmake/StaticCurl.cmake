# CURL::libcurl from packaging/libcurl/build: the same static library in every preset, built once a
# machine.
set(muster_curl_for)
if(CMAKE_CROSSCOMPILING)
  set(muster_curl_for CC=${CMAKE_C_COMPILER} MUSTER_CURL_TOOLCHAIN=${CMAKE_TOOLCHAIN_FILE})
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E env ${muster_curl_for} ${PROJECT_SOURCE_DIR}/packaging/libcurl/build
  OUTPUT_VARIABLE muster_curl_prefix OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE muster_curl_status)
if(NOT muster_curl_status EQUAL 0)
  message(FATAL_ERROR "packaging/libcurl/build failed")
endif()

set(OPENSSL_USE_STATIC_LIBS ON)
find_package(OpenSSL 3.0 REQUIRED)
find_library(MUSTER_CARES_LIBRARY libcares.a REQUIRED)

add_library(CURL::libcurl STATIC IMPORTED)
set_target_properties(CURL::libcurl PROPERTIES
  IMPORTED_LOCATION ${muster_curl_prefix}/lib/libcurl.a
  INTERFACE_INCLUDE_DIRECTORIES ${muster_curl_prefix}/include
  INTERFACE_COMPILE_DEFINITIONS CURL_STATICLIB
  INTERFACE_LINK_LIBRARIES "OpenSSL::SSL;OpenSSL::Crypto;${MUSTER_CARES_LIBRARY}")
