# ccache where present. Paths are made relative to the sources, so that a second clone on the same
# machine finds what the first one compiled.
find_program(MUSTER_CCACHE ccache)
if(MUSTER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros  # or it does not take what has precompiled headers
    ${MUSTER_CCACHE})
endif()
