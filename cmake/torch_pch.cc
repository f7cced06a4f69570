// Carries the precompiled header that the worker folders share.
