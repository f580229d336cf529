# microcart_proto_library(<name> <file.proto>...)
#
# Adds a library of the messages and gRPC services of these files, generated at build time. Include
# its headers by the files' paths from the root: "proto/auth.grpc.pb.h".

include_guard()

find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

function(microcart_proto_library name)
  set(generated_dir ${PROJECT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated_dir})
  set(sources)
  foreach(proto_file IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH proto_file NORMALIZE OUTPUT_VARIABLE path)
    cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE from_root)
    string(REGEX REPLACE "\\.proto$" "" stem ${generated_dir}/${from_root})
    set(outputs ${stem}.pb.cc ${stem}.pb.h ${stem}.grpc.pb.cc ${stem}.grpc.pb.h)
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc
        --proto_path=${PROJECT_SOURCE_DIR}
        --cpp_out=${generated_dir}
        --grpc_out=${generated_dir}
        --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN}
        ${path}
      DEPENDS ${path}
      COMMENT "Generating C++ from ${from_root}"
      VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()

  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${generated_dir})
  target_link_libraries(${name}
    PUBLIC gRPC::grpc++ protobuf::libprotobuf
    PRIVATE microcart_options)
  # Generated code is not ours, so its warnings are off.
  target_compile_options(${name} PRIVATE -w)
endfunction()
