//! The service's interfaces as XML: the documented contract, and what its objects answer to Introspect.

/// `org.punktfunk.Host1`, at [`crate::names::ROOT_PATH`].
pub const HOST: &str = include_str!("../interfaces/org.punktfunk.Host1.xml");
/// `org.punktfunk.Host1.Pairing`, at `.../pairings/N`.
pub const PAIRING: &str = include_str!("../interfaces/org.punktfunk.Host1.Pairing.xml");
/// `org.punktfunk.Host1.Client`, at `.../clients/ID`.
pub const CLIENT: &str = include_str!("../interfaces/org.punktfunk.Host1.Client.xml");
/// `org.punktfunk.Host1.Agent`, at `.../agents/SESSION`.
pub const AGENT: &str = include_str!("../interfaces/org.punktfunk.Host1.Agent.xml");
/// `org.punktfunk.Host1.Stream`, at `.../streams/N`.
pub const STREAM: &str = include_str!("../interfaces/org.punktfunk.Host1.Stream.xml");
