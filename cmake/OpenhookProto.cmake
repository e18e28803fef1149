# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Turns proto/*.proto into C++ (protobuf lite) for the broker and its clients, and openhook.proto
# and feed.proto into allocation-free C (nanopb) for what is loaded into other programs. Both are made below build/, so that
# #include "proto/openhook.pb.h" and "proto/openhook.pb_c.h" work everywhere.

find_package(Protobuf REQUIRED)
find_program(NANOPB_GENERATOR nanopb_generator.py REQUIRED)
# The generator needs Debian's Python, which has the protobuf module that it was packaged with.
find_program(DEBIAN_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)

# C++ sources of one .proto, in the variable `out`.
function(openhook_protobuf_cpp out proto)
  set(base ${CMAKE_BINARY_DIR}/generated/proto/${proto})
  add_custom_command(
    OUTPUT ${base}.pb.cc ${base}.pb.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
    COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}
            --cpp_out=lite:${CMAKE_BINARY_DIR}/generated proto/${proto}.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/proto/openhook.proto ${CMAKE_SOURCE_DIR}/proto/feed.proto
            ${CMAKE_SOURCE_DIR}/proto/${proto}.proto
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set(${out} ${base}.pb.cc ${base}.pb.h PARENT_SCOPE)
endfunction()

# C sources of one .proto by nanopb, in the variable `out`.
function(openhook_nanopb_c out proto)
  set(base ${CMAKE_BINARY_DIR}/generated/proto/${proto})
  add_custom_command(
    OUTPUT ${base}.pb_c.c ${base}.pb_c.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated/proto
    COMMAND ${DEBIAN_PYTHON} ${NANOPB_GENERATOR} --quiet --strip-path --extension=.pb_c
            --options-file=proto/${proto}.options --proto-path=.
            --output-dir=${CMAKE_BINARY_DIR}/generated proto/${proto}.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/proto/${proto}.proto ${CMAKE_SOURCE_DIR}/proto/${proto}.options
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set(${out} ${base}.pb_c.c ${base}.pb_c.h PARENT_SCOPE)
endfunction()
