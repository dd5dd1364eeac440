//! TLS as GameStream clients need it: our one RSA certificate, any client certificate, no resumption.
