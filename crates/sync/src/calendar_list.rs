//! calendar_list
