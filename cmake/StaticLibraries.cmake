# OpenSSL::SSL, OpenSSL::Crypto and CURL::libcurl from packaging/libraries: the same static libraries in every
# preset, each built once a machine. MUSTER_CROSS: another architecture, by its toolchain file.
# MUSTER_LIBRARY_FLAGS: instead of those for size. ThreadSanitizer must see the libraries' atomic variables, or
# what these guard is a race to it.
set(muster_library_environment)
if(MUSTER_LIBRARY_FLAGS)
  string(REPLACE "++" "" muster_c_compiler ${CMAKE_CXX_COMPILER})
  set(muster_library_environment CC=${muster_c_compiler} MUSTER_LIBRARY_FLAGS=${MUSTER_LIBRARY_FLAGS})
endif()
function(muster_build_library name prefix)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env ${muster_library_environment}
      ${PROJECT_SOURCE_DIR}/packaging/libraries/${name} ${MUSTER_CROSS}
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "packaging/libraries/${name} failed")
  endif()
  set(${prefix} ${found} PARENT_SCOPE)
endfunction()

# muster_imported(TARGET ARCHIVE PREFIX LINK...): of the folder that packaging/libraries made.
function(muster_imported target archive prefix)
  add_library(${target} STATIC IMPORTED)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${prefix}/lib/${archive}
    INTERFACE_INCLUDE_DIRECTORIES ${prefix}/include
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

muster_build_library(openssl muster_openssl)
muster_build_library(libcurl muster_curl)
find_library(MUSTER_CARES_LIBRARY libcares.a REQUIRED)

muster_imported(OpenSSL::Crypto libcrypto.a ${muster_openssl})
muster_imported(OpenSSL::SSL libssl.a ${muster_openssl} OpenSSL::Crypto)
muster_imported(CURL::libcurl libcurl.a ${muster_curl} OpenSSL::SSL ${MUSTER_CARES_LIBRARY})
set_target_properties(CURL::libcurl PROPERTIES INTERFACE_COMPILE_DEFINITIONS CURL_STATICLIB)
