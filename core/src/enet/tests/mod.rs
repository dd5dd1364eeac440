mod connection;
mod framing;
mod loss;
mod network;
mod order;
mod roaming;
