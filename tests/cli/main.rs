//! The binary as its users meet it: exit codes, what it prints, and how it ends.

mod demo;
mod input;
mod load;
mod process;
mod serve;
