// The empty program that a library is linked whole into, to prove that it declares everything it
// uses.
int main() { return 0; }
