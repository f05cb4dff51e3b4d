"""Tables and arrays of files, as the estimators take them."""
