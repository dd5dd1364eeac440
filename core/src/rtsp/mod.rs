//! RTSP messages as Moonlight speaks them, plain and sealed.
