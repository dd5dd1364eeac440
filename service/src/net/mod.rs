//! Thin I/O over core: every socket of the service. [owners: setup (nvhttp, tls, rtsp, discovery), media (control, udp)]
