// The checks of a test program: each that fails says so, and the program then exits 1.
#pragma once

#include <iostream>

namespace check {

inline int failures = 0;

template <class Got, class Want>
void equal(const Got& got, const Want& want, const char* what) {
  if (got == want) return;
  ++failures;
  std::cerr << what << ": " << got << ", not " << want << '\n';
}

inline void that(bool holds, const char* what) { equal(holds, true, what); }

inline int result() { return failures == 0 ? 0 : 1; }

}  // namespace check
