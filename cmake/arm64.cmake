# The toolchain of the preset arm64: Debian's cross compiler on packaging/sysroot; what it builds is run by
# qemu-user.
set(MUSTER_CROSS arm64)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)

execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../packaging/sysroot arm64
  OUTPUT_VARIABLE CMAKE_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
# Debian's cross compiler would take libc and libstdc++ of packages of its own, which get no security updates.
foreach(folder lib/aarch64-linux-gnu lib/gcc/aarch64-linux-gnu/12)
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -B${CMAKE_SYSROOT}/usr/${folder}")
endforeach()

# The tests too: qemu-user would want a loader in /lib, or see the sysroot's files in place of this machine's.
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -static-pie")

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
