package main

func mutex([]string) {}
