# Writes Keywords.g4 (the tokens, and the rules `name` and `word`) from the keyword table.
#   cmake -DTABLE=keywords.def -DOUT=Keywords.g4 -P keywords.cmake
file(STRINGS ${TABLE} lines REGEX "^KOI_(KEYWORD|OPERATOR_WORD)\\(")
set(names NAME)
set(words NAME)
foreach(line IN LISTS lines)
  string(REGEX MATCH "^KOI_([A-Z_]+)\\(([A-Z_]+)," found "${line}")
  list(APPEND names ${CMAKE_MATCH_2})
  if(CMAKE_MATCH_1 STREQUAL "KEYWORD")
    list(APPEND words ${CMAKE_MATCH_2})
  endif()
endforeach()
set(tokens ${names})
list(REMOVE_ITEM tokens NAME)
list(JOIN tokens ", " tokens)
list(JOIN names " | " names)
list(JOIN words " | " words)
file(WRITE ${OUT} "// Made from the keyword table; do not edit.
parser grammar Keywords;
tokens {
  NAME, NUMBER, PERCENT, MONEY, DURATION, ORDINAL, TIME, DATE, LOCAL_TIME, INSTANT,
  TEXT, TEXT_OPEN, TEXT_CHUNK, TEXT_CLOSE, INSERT_OPEN, INSERT_CLOSE,
  LBRACE, RBRACE, LPAREN, RPAREN, LBRACKET, RBRACKET, COMMA, COLON, SEMICOLON, DOT, QUESTION,
  ASSIGN, EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, PLUS, MINUS, STAR, SLASH,
  ${tokens}
}
name: ${names};
word: ${words};
")
