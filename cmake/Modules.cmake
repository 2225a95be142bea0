# One target a module. A module's file says its name and what it uses, and no more:
#   module(core USES plan store)
# Each module has a header root of its own, so an undeclared include does not compile; and its unit
# tests link that module alone, so an undeclared symbol does not link.

add_library(koi_warnings INTERFACE)
add_library(koi::warnings ALIAS koi_warnings)
# A member that a designated initializer does not name has its default: that is what they are for.
# g++ 12 sees overlapping copies in `"0" + text` where there are none (its bug 105651).
target_compile_options(koi_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                              -Wno-missing-field-initializers -Wno-restrict
                                              $<$<BOOL:${KOI_WERROR}>:-Werror>)

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

# Unit tests of one module: an executable that links this module alone.
function(unit_tests name)
  if(NOT KOI_TESTS OR NOT ARGN)
    return()
  endif()
  add_executable(${name}_test ${ARGN})
  target_link_libraries(${name}_test PRIVATE koi::${name} koi::warnings GTest::gmock GTest::gtest_main)
  add_test(NAME unit.${name} COMMAND ${name}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
