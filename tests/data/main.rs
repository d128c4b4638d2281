//! What comes from outside and goes there: files of reviews and their download, the data and the command lines of the examples.

mod command_line;
mod download;
mod examples;
mod forecast;
mod imdb;
mod npz_writer;
