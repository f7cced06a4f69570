// The one file that compiles Beast's sources.
#include <boost/beast/src.hpp>
