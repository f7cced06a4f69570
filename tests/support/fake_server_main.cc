// A RestServer over a FakeService as a program of its own, for tests of clients: prints its port,
// serves until standard input ends. Operations end at once.
#include <iostream>

#include "tests/support/live_rest.h"

int main() {
  emend::test::LiveRest rest({}, /*auto_finish=*/true);
  std::cout << rest.port() << std::endl;
  std::cin.get();
  return 0;
}
