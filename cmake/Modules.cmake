# One target a module. A module's file says its name and what it uses, and no more:
#   module(core USES plan store)
# Each module has a header root of its own, so an undeclared include does not compile; and its unit
# tests link that module alone, so an undeclared symbol does not link.

add_library(koi_warnings INTERFACE)
add_library(koi::warnings ALIAS koi_warnings)
# A member that a designated initializer does not name has its default: that is what they are for.
# g++ 12 sees overlapping copies in `"0" + text` where there are none (its bug 105651), and at -O3
# unset members in the arms that a moved variant does not hold; the sanitizers find the real ones.
# Where files are compiled together, what is private to one of them is not in the main file: no fault.
target_compile_options(koi_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                              -Wno-missing-field-initializers -Wno-restrict
                                              -Wno-maybe-uninitialized
                                              $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wno-subobject-linkage>
                                              $<$<BOOL:${KOI_WERROR}>:-Werror>)

# What a program takes its memory from, linked by the program itself: docs/performance.md.
add_library(koi_allocator INTERFACE)
add_library(koi::allocator ALIAS koi_allocator)
if(KOI_MIMALLOC)
  find_package(mimalloc 2.0 REQUIRED)
  target_link_libraries(koi_allocator INTERFACE mimalloc)
endif()

# module(NAME [USES modules…] [PRIVATELY libraries…])
#   USES       modules whose headers this one's headers may include
#   PRIVATELY  libraries (or modules) that only its .cpp files see
function(module name)
  cmake_parse_arguments(arg "" "" "USES;PRIVATELY" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")

  # "core/step.h" resolves through a root that holds core alone.
  set(root ${PROJECT_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)

  list(TRANSFORM arg_USES PREPEND koi::)
  if(sources)
    add_library(koi_${name} STATIC ${sources})
    target_include_directories(koi_${name} PUBLIC ${root})
    target_link_libraries(koi_${name} PUBLIC ${arg_USES} PRIVATE ${arg_PRIVATELY} koi::warnings)
  else()  # headers alone
    add_library(koi_${name} INTERFACE)
    target_include_directories(koi_${name} INTERFACE ${root})
    target_link_libraries(koi_${name} INTERFACE ${arg_USES})
  endif()
  add_library(koi::${name} ALIAS koi_${name})
  unit_tests(${name} ${tests})
endfunction()

# Unit tests of one module: an executable that links this module alone. What several of its tests do
# by the same functions is in detail/*.cpp, compiled once: koi::NAME_for_tests.
function(unit_tests name)
  if(NOT KOI_TESTS OR NOT ARGN)
    return()
  endif()
  add_executable(${name}_test ${ARGN})
  target_link_libraries(${name}_test PRIVATE koi::${name} koi::warnings GTest::gmock GTest::gtest_main)
  file(GLOB shared CONFIGURE_DEPENDS detail/*.cpp)
  if(shared)
    add_library(koi_${name}_for_tests STATIC ${shared})
    target_link_libraries(koi_${name}_for_tests PUBLIC koi::${name} PRIVATE koi::warnings GTest::gtest)
    add_library(koi::${name}_for_tests ALIAS koi_${name}_for_tests)
    target_link_libraries(${name}_test PRIVATE koi::${name}_for_tests)
  endif()
  add_test(NAME unit.${name} COMMAND ${name}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

# connector(NAME [PRIVATELY libraries…])  a folder of connectors/: NAME.cpp, README.md, NAME_test.cpp.
# The line is the registration: the list of connectors that are built in is written from these.
function(connector name)
  cmake_parse_arguments(arg "" "" "PRIVATELY" ${ARGN})
  foreach(file ${name}.cpp README.md ${name}_test.cpp)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${file})
      message(FATAL_ERROR "connector(${name}): connectors/${name}/${file} is missing")
    endif()
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${name}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  add_library(koi_connector_${name} STATIC ${sources})
  target_include_directories(koi_connector_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(koi_connector_${name} PUBLIC koi::channel PRIVATE ${arg_PRIVATELY} koi::warnings)
  # A coroutine's frame goes back to the pair of functions it came from; g++ 12 inlines one of them
  # and compares it with the other.
  target_compile_options(koi_connector_${name} PRIVATE -Wno-mismatched-new-delete)
  set_property(DIRECTORY APPEND PROPERTY KOI_CONNECTORS ${name})
  set_property(DIRECTORY APPEND PROPERTY KOI_CONNECTOR_TESTS ${tests})
endfunction()

# Writes the lists from the lines above it: koi::connectors for the program, and one test of all.
function(connector_list)
  get_property(names DIRECTORY PROPERTY KOI_CONNECTORS)
  get_property(tests DIRECTORY PROPERTY KOI_CONNECTOR_TESTS)
  set(KOI_DECLARED "")
  set(KOI_TYPES "")
  set(KOI_PROVIDERS_DECLARED "")
  set(KOI_PROVIDERS "")
  set(libraries "")
  foreach(name ${names})
    string(APPEND KOI_DECLARED "const channel::ConnectorType& ${name}();\n")
    string(APPEND KOI_TYPES "&${name}(), ")
    string(APPEND KOI_PROVIDERS_DECLARED "std::unique_ptr<channel::Provider> ${name}_provider();\n")
    string(APPEND KOI_PROVIDERS "      {&${name}(), &${name}_provider},\n")
    list(APPEND libraries koi_connector_${name})
  endforeach()
  configure_file(list.cpp.in list.cpp @ONLY)
  set(root ${PROJECT_BINARY_DIR}/include/connectors)
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/connectors SYMBOLIC)
  add_library(koi_connectors STATIC ${CMAKE_CURRENT_BINARY_DIR}/list.cpp)
  add_library(koi::connectors ALIAS koi_connectors)
  target_include_directories(koi_connectors PUBLIC ${root})
  target_link_libraries(koi_connectors PUBLIC koi::channel PRIVATE ${libraries} koi::warnings)
  if(KOI_TESTS)
    configure_file(providers.cpp.in providers.cpp @ONLY)
    unit_tests(connectors ${tests} conformance_test.cpp http_provider.cpp
               ${CMAKE_CURRENT_BINARY_DIR}/providers.cpp)
    target_include_directories(connectors_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_definitions(connectors_test PRIVATE KOI_CONNECTORS_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
endfunction()
