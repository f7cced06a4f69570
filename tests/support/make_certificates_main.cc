// Certificates for tests that run the programs: an authority, and what it signs, as PEM files in a
// folder (certificates.h).
//
//   emend_test_make_certificates FOLDER AUTHORITY NAME HOSTS [NAME HOSTS ...]
#include <iostream>

#include "tests/support/certificates.h"

int main(int argc, char** argv) {
  if (argc < 5 || argc % 2 == 0) {
    std::cerr
        << "usage: emend_test_make_certificates FOLDER AUTHORITY NAME HOSTS [NAME HOSTS ...]\n";
    return 2;
  }
  const emend::test::TestAuthority authority(argv[1], argv[2]);
  for (int next = 3; next < argc; next += 2) authority.Issue(argv[next], argv[next + 1]);
  return 0;
}
