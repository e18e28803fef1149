# SPDX-License-Identifier: LGPL-2.1-or-later
#
# openhook_room(NAME SOURCES ... LINK ...)     a static library for one room
# openhook_program(NAME SOURCES ... LINK ...)  an executable in build/bin
# Both take the project's warnings (as errors) and the sanitizer lane.

add_library(openhook_options INTERFACE)
target_include_directories(openhook_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(openhook_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wcast-align -Wformat=2 -Wimplicit-fallthrough -Wundef
  -fstack-protector-strong
  # Designated initialisers leave the other members at their defaults, on purpose.
  -Wno-missing-field-initializers)
if(NOT OPENHOOK_SANITIZE)
  # As the distribution's own packages; the sanitizers check more, and do not go with it.
  target_compile_definitions(openhook_options INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
target_link_options(openhook_options INTERFACE -Wl,-z,relro,-z,now)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(OPENHOOK_SANITIZE)
  # -O1: the lanes are compiled from nothing each time, and are to be run, not shipped.
  add_compile_options(-O1 -g1 -fsanitize=${OPENHOOK_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OPENHOOK_SANITIZE})
endif()

function(openhook_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC openhook_options ${ROOM_LINK})
endfunction()

function(openhook_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_link_libraries(${name} PRIVATE openhook_options ${PROGRAM_LINK})
  install(TARGETS ${name})
endfunction()
