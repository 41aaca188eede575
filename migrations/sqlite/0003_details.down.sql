DROP TABLE run_details;
