# Build conventions: every target has the same language level and warnings, and an explicit list of
# its dependencies.

include_guard()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(crypt REQUIRED IMPORTED_TARGET libcrypt)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(jwt REQUIRED IMPORTED_TARGET libjwt)
pkg_check_modules(idn2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()

set(MICROCART_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
set(CMAKE_CXX_EXTENSIONS OFF)
option(MICROCART_FUZZ "Instrument for libFuzzer, and link it into the fuzz targets" OFF)
option(MICROCART_COVERAGE "Instrument for source-based coverage" OFF)

include(GoogleTest)

# The sanitizers have allocators of their own.
if(NOT MICROCART_SANITIZE)
  set(MICROCART_ALLOCATOR PkgConfig::jemalloc)
endif()

# Compile options of every target of the project.
add_library(microcart_options INTERFACE)
target_compile_features(microcart_options INTERFACE cxx_std_23)
target_compile_options(microcart_options INTERFACE
  -pthread
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wimplicit-fallthrough
  -Wno-missing-designated-field-initializers -Werror)
# Asio keeps the memory of so many frames of coroutines, and of other kinds, for the next ones. With its
# default of 2, a request allocates most of its frames anew.
target_compile_definitions(microcart_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16)
target_include_directories(microcart_options INTERFACE ${PROJECT_SOURCE_DIR})
target_link_options(microcart_options INTERFACE -fuse-ld=lld-19)
# Hardening of a release; sanitizers do the same better. The debug information is limited to functions
# and lines, for stack traces and profiles, because variables and types add a sixth to the compile time.
target_compile_options(microcart_options INTERFACE
  $<$<CONFIG:RelWithDebInfo>:-g1 -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
target_link_options(microcart_options INTERFACE $<$<CONFIG:RelWithDebInfo>:-Wl,-z,relro,-z,now>)
if(MICROCART_SANITIZE)
  target_compile_options(microcart_options INTERFACE
    -fsanitize=${MICROCART_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(microcart_options INTERFACE -fsanitize=${MICROCART_SANITIZE})
endif()
if(MICROCART_FUZZ)
  target_compile_options(microcart_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MICROCART_COVERAGE)
  target_compile_options(microcart_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(microcart_options INTERFACE -fprofile-instr-generate)
endif()

# The tests' own code is not optimized, because that would double the time to compile it.
add_library(microcart_test_options INTERFACE)
target_compile_options(microcart_test_options INTERFACE $<$<CONFIG:RelWithDebInfo>:-O0>)

# microcart_precompiled_headers(<name> HEADERS <header>... [PRIVATE <target>...])
#
# Compiles headers once, for all targets that reuse them from target <name>. They are headers of
# libraries, never ours, because a change of one compiles everything again. Sources still include
# what they use; clang-tidy reads them without precompiled headers.
function(microcart_precompiled_headers name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;PRIVATE")
  # A target needs a source.
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "")
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PRIVATE microcart_options Boost::headers ${arg_PRIVATE})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

set(common_headers
  <algorithm> <array> <atomic> <charconv> <chrono> <expected> <functional> <map> <memory> <mutex>
  <optional> <ranges> <span> <sstream> <string> <string_view> <thread> <unordered_map> <variant>
  <vector>
  <boost/asio/any_io_executor.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp>
  <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/post.hpp>
  <boost/asio/steady_timer.hpp> <boost/asio/this_coro.hpp> <boost/asio/use_awaitable.hpp>
  <boost/describe/class.hpp> <boost/json/value.hpp>)
microcart_precompiled_headers(microcart_precompiled HEADERS ${common_headers})
if(BUILD_TESTING)
  microcart_precompiled_headers(microcart_test_precompiled
    HEADERS ${common_headers} <gmock/gmock.h> <gtest/gtest.h>
    PRIVATE microcart_test_options GTest::gmock)
endif()

# microcart_library(<name> SOURCES <file>... [PUBLIC <target>...] [PRIVATE <target>...])
#
# PUBLIC are the targets whose headers the library's own headers include.
function(microcart_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PUBLIC;PRIVATE")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE microcart_options ${arg_PRIVATE})
  target_precompile_headers(${name} REUSE_FROM microcart_precompiled)
endfunction()

# microcart_executable(<name> SOURCES <file>... LINK <target>... [DIRECTORY <directory>])
#
# The binary is written to DIRECTORY of the build directory.
function(microcart_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DIRECTORY" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE microcart_options ${arg_LINK})
  target_precompile_headers(${name} REUSE_FROM microcart_precompiled)
  if(arg_DIRECTORY)
    set_target_properties(${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${arg_DIRECTORY})
  endif()
endfunction()

# microcart_test(<name> SOURCES <file>... LINK <target>... [DEFINITIONS <macro>...]
#                [LABELS <label>...] [TIMEOUT <seconds>] [ONE_PROCESS])
#
# Adds a GoogleTest binary. Each of its tests is a test of ctest; with ONE_PROCESS, the whole binary is
# one, because its tests share something costly, such as a PostgreSQL cluster. Does nothing if
# BUILD_TESTING is off.
function(microcart_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "ONE_PROCESS" "TIMEOUT" "SOURCES;LINK;DEFINITIONS;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE
    microcart_options microcart_test_options ${arg_LINK} GTest::gmock_main)
  target_precompile_headers(${name} REUSE_FROM microcart_test_precompiled)
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  if(arg_ONE_PROCESS)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
    return()
  endif()
  gtest_discover_tests(${name} NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
