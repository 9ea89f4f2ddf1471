package ev_test
