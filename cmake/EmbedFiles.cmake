# Embeds files of the source tree in a binary.

include_guard()

set(EMBED_FILES_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/EmbedFilesScript.cmake)

# microcart_embed_files(<target> HEADER <file.h> VARIABLE <name> NAMESPACE <namespace>
#                       FILES <file>...)
#
# Generates <file.h> for the sources of <target>, which include it by that name. It defines
#
#   constexpr std::array<platform::EmbeddedFile, N> <namespace>::<name>
#
# in the order of FILES (paths below the calling directory, or absolute). Their content is a
# constant expression, so a source can check it at compile time. Include the header in one .cpp
# only. An edited file rebuilds that source.
function(microcart_embed_files target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;VARIABLE;NAMESPACE" "FILES")
  set(directory ${CMAKE_CURRENT_BINARY_DIR}/${target}.embedded)
  set(header ${directory}/${arg_HEADER})
  set(paths "")
  foreach(file IN LISTS arg_FILES)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE path)
    list(APPEND paths ${path})
  endforeach()
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -D "HEADER=${header}" -D "VARIABLE=${arg_VARIABLE}"
            -D "NAMESPACE=${arg_NAMESPACE}" -D "BASE=${CMAKE_CURRENT_SOURCE_DIR}"
            -D "FILES=${paths}" -P ${EMBED_FILES_SCRIPT}
    DEPENDS ${paths} ${EMBED_FILES_SCRIPT}
    COMMENT "Embedding ${arg_HEADER}"
    VERBATIM)
  target_sources(${target} PRIVATE ${header})
  target_include_directories(${target} PRIVATE ${directory})
endfunction()
