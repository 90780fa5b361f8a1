"""The whole way, from outside: real processes, real SDKs, a scripted vendor at the end."""
