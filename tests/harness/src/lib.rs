//! Drives and judges a stack: generated orders, the sender, the verdict, the demo.
//!
//! In the order of a run: [`stack`] starts `local-cloud`, [`kits`] is the catalog, [`orders`] what a day of a shop
//! looks like, [`sender`] sends it at its pace and writes down what it sent, [`evidence`] reads what became of it,
//! [`verdict`] compares, [`report`] prints. [`demo`] is all of that; [`outage`] takes the payment provider away in the
//! middle and measures, [`redis_outage`] takes Redis, [`campaign`] breaks everything at random, [`load`] lets k6 offer
//! orders and draws what came of it with [`svg`], [`peers`] compares with what others would write, [`counts`] counts what a
//! batch costs, [`deploy_check`] runs what CDK deployed to an emulator, [`monitor`] runs Prometheus beside a running stack;
//! the other commands look into a running stack.
//!
//! Promises: the verdict rests on sources that know nothing of each other (the sender's file, the SQL rows, the
//! provider's ledger, the stock, the published events) and on no code of the functions; the same seed sends the same
//! messages in the same order.

pub mod stack;

pub mod canaries;
pub mod evidence;
pub mod kits;
pub mod orders;
pub mod sender;
pub mod sent;
pub mod settling;
pub mod verdict;

pub mod campaign;
pub mod counts;
pub mod demo;
pub mod deploy_check;
pub mod load;
pub mod measure;
pub mod monitor;
pub mod outage;
pub mod peers;
pub mod plant;
pub mod progress;
pub mod redis_outage;
pub mod report;

pub mod commands;

pub mod children;
pub mod control;
pub mod database;
pub mod figures;
pub mod http;
pub mod queues;
pub mod sandbox;
pub mod svg;

mod error;

pub use error::Error;
