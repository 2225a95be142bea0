// What a text between quotes says: escapes resolved, a text over lines without its indentation.
#pragma once

#include <string>
#include <vector>

namespace koi::lang {

// `\"` `\\` `\n` `\t`, `{{` and `}}` in place. Gives the first escape that means nothing, as it is
// written, and its place in the text; empty where there is none.
std::string resolve_escapes(std::string& text, std::size_t& place);

// A text over lines, as the pieces between its insertions: without the rest of the opening line if
// that is blank, without the line of the closing mark if nothing else stands there, and without the
// indentation that all lines share. `begins` and `ends` tell whether the first piece is the text's
// beginning and the last its end. Line ends become \n.
void trim_long_text(const std::vector<std::string*>& pieces, bool begins, bool ends);

}  // namespace koi::lang
