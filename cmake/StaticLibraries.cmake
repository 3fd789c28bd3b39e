# OpenSSL::SSL, OpenSSL::Crypto and CURL::libcurl from packaging/libraries: the same static libraries in every
# preset, each built once a machine, and beside the compilation: what includes their headers waits for them
# (muster_uses_libraries), and what is linked with them; nothing else does.
# MUSTER_CROSS: another architecture, by its toolchain file. MUSTER_LIBRARY_FLAGS: instead of those for size.
# ThreadSanitizer must see the libraries' atomic variables, or what these guard is a race to it.
set(muster_libraries ${PROJECT_BINARY_DIR}/libraries)
set(muster_library_environment)
if(MUSTER_LIBRARY_FLAGS)
  string(REPLACE "++" "" muster_c_compiler ${CMAKE_CXX_COMPILER})
  set(muster_library_environment CC=${muster_c_compiler} MUSTER_LIBRARY_FLAGS=${MUSTER_LIBRARY_FLAGS})
endif()

# muster_build_library(NAME ARCHIVE... [AFTER FILE]): makes ${muster_libraries}/NAME, a link to the folder of what was
# built. NAME.built and not the archives says when that was: these are as old as the machine's first build of them.
function(muster_build_library name)
  cmake_parse_arguments(PARSE_ARGV 1 library "" "AFTER" "")
  set(script ${PROJECT_SOURCE_DIR}/packaging/libraries/${name})
  list(TRANSFORM library_UNPARSED_ARGUMENTS PREPEND ${muster_libraries}/${name}/lib/ OUTPUT_VARIABLE archives)
  add_custom_command(OUTPUT ${muster_libraries}/${name}.built
    BYPRODUCTS ${archives}
    COMMAND ${CMAKE_COMMAND} -E env ${muster_library_environment}
      ${script} --link ${muster_libraries}/${name} ${MUSTER_CROSS}
    COMMAND ${CMAKE_COMMAND} -E touch ${muster_libraries}/${name}.built
    DEPENDS ${script} ${PROJECT_SOURCE_DIR}/packaging/libraries/common.sh ${library_AFTER}
    COMMENT "${name}, static" VERBATIM)
endfunction()

# muster_imported(TARGET LIBRARY ARCHIVE LINK...)
function(muster_imported target library archive)
  add_library(${target} STATIC IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${muster_libraries}/${library}/lib/${archive}
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

# muster_uses_libraries(FILE...): sources, of the folder that says so, that include the libraries' headers.
function(muster_uses_libraries)
  set_source_files_properties(${ARGN} PROPERTIES
    OBJECT_DEPENDS "${muster_libraries}/openssl.built;${muster_libraries}/libcurl.built"
    COMPILE_OPTIONS "-isystem;${muster_libraries}/openssl/include;-isystem;${muster_libraries}/libcurl/include")
endfunction()

muster_build_library(openssl libssl.a libcrypto.a)
muster_build_library(libcurl libcurl.a AFTER ${muster_libraries}/openssl.built)
find_library(MUSTER_CARES_LIBRARY libcares.a REQUIRED)
add_custom_target(libraries ALL DEPENDS ${muster_libraries}/openssl.built ${muster_libraries}/libcurl.built)

muster_imported(OpenSSL::Crypto openssl libcrypto.a)
muster_imported(OpenSSL::SSL openssl libssl.a OpenSSL::Crypto)
muster_imported(CURL::libcurl libcurl libcurl.a OpenSSL::SSL ${MUSTER_CARES_LIBRARY})
set_target_properties(CURL::libcurl PROPERTIES INTERFACE_COMPILE_DEFINITIONS CURL_STATICLIB)
