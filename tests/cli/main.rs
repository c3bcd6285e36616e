//! The binary as its users meet it: exit codes, what it prints, and how it ends.

mod demo;
mod explain;
mod input;
mod key;
mod load;
mod process;
mod serve;
mod virtual_time;
