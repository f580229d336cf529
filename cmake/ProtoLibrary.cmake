# microcart_proto_library(<name> <file.proto>...)
#
# Adds a library of the messages of these files, generated at build time. Include its headers by the
# files' paths from the root: "proto/auth.pb.h". For tests, adds <name>_grpc with the stubs and
# services of gRPC's C++ library too: "proto/auth.grpc.pb.h". Our own servers and clients
# (platform/grpc) need none.

include_guard()

if(BUILD_TESTING)
  find_package(gRPC CONFIG REQUIRED)
  find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
endif()

function(microcart_proto_library name)
  set(generated_dir ${PROJECT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated_dir})
  set(sources)
  set(grpc_sources)
  foreach(proto_file IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH proto_file NORMALIZE OUTPUT_VARIABLE path)
    cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE from_root)
    string(REGEX REPLACE "\\.proto$" "" stem ${generated_dir}/${from_root})
    set(outputs ${stem}.pb.cc ${stem}.pb.h)
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${generated_dir} ${path}
      DEPENDS ${path}
      COMMENT "Generating C++ from ${from_root}"
      VERBATIM)
    list(APPEND sources ${outputs})
    if(BUILD_TESTING)
      set(grpc_outputs ${stem}.grpc.pb.cc ${stem}.grpc.pb.h)
      add_custom_command(
        OUTPUT ${grpc_outputs}
        COMMAND protobuf::protoc
          --proto_path=${PROJECT_SOURCE_DIR}
          --grpc_out=${generated_dir}
          --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN}
          ${path}
        DEPENDS ${path}
        COMMENT "Generating gRPC's C++ from ${from_root}"
        VERBATIM)
      list(APPEND grpc_sources ${grpc_outputs})
    endif()
  endforeach()

  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${generated_dir})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf PRIVATE microcart_options)
  # Generated code is not ours, so its warnings are off.
  target_compile_options(${name} PRIVATE -w)
  if(BUILD_TESTING)
    add_library(${name}_grpc STATIC ${grpc_sources})
    target_link_libraries(${name}_grpc PUBLIC ${name} gRPC::grpc++ PRIVATE microcart_options)
    target_compile_options(${name}_grpc PRIVATE -w)
  endif()
endfunction()
