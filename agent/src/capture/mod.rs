//! The PipeWire consumer that all compositor sources share.
